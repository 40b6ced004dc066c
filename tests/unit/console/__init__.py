"""What the console concludes."""
