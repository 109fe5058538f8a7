"""Own what turns rows into decisions: questions in SQL, statistics, findings, reports."""
