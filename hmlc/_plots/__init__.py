"""The plots, by what they show."""
