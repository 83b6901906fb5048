"""The report: figures, tables, and everything on one page; what verdicts say, rendered."""
