"""What is asked and how it is answered: readings, designs, claims, effects, statistics, verdicts, records. No torch below this roof."""
