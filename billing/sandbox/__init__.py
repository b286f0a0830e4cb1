"""Klarna as a process of its own: the current REST APIs, strict enough to judge a client by.

It imports nothing of the service, keeps its own ledger, and can play every fault that a client has to survive.
"""
