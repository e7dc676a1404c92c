"""The rooms of the HTML page, one module each: pure functions from an `Audit` to escaped HTML."""
