"""Requests on whose end servers have been seen to disagree, sent through the gateway to real servers."""
