"""A norm on trial: is it right, how good, how easy, how robust is it, and what does it cost, beside the methods that are known."""
