"""The bell of the top bar: reminders, finished sessions, and what an account of a person's waits for."""
