"""The report as pages: English and Japanese, offline, each readable without a script. They render what the report's sections say."""
