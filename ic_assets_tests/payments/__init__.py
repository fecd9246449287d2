"""The flow of payments."""
