"""The build's steps that run the app's own code, or prepare it."""
