"""Requests on whose end servers have been seen to disagree, through the gateway to real ones."""
