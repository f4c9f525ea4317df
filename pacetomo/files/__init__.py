"""Text and binary files: each module turns one format into our types and back."""
