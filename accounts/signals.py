"""What the people's side announces. Receivers in other apps listen."""

from django.dispatch import Signal

# An e-mail address was put on somebody's Communication options, or taken off. Arguments: addresses (set of str).
emails_changed = Signal()
