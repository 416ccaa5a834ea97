"""
Random journeys over the whole stack, which a seed replays exactly.

`reproducible` makes time and ids follow from the steps alone; `checkpoints` lets a session be killed or interrupted at
any point; `world` holds the people and their sessions, `here`, `there` and `accounts` what they do; `ledger` and
`edits` watch every value; `checks` says what has to hold after the storm; `journey` draws the steps.
"""
