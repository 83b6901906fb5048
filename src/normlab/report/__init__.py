"""The report: figures, tables and one page that renders what verdicts/ says."""
