"""Drafts of what an officer writes after a notice: a request to preserve data or for assistance, a stop-payment sheet.

Everything here is pure: a notice and what is known of the authorities go in, a document comes out. A draft asserts
nothing that the notice does not say. Legal judgements and unknown facts are left blank and marked.
"""
