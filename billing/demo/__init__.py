"""The demo: a merchant's thirteen months, told over HTTP alone, and the two sets of books held against each other.

It imports nothing of the service: what it finds out about it, any merchant or accountant could.
"""
