"""What the console concludes from the numbers: plain functions of values."""
