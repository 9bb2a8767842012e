"""The one exception type that is meant for users."""


class UserError(Exception):
    """Something the user can put right; the message is one line that says how."""
