"""What the app's own files say."""
