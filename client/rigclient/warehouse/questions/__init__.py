"""Questions that are answered in the warehouse: what is asked for is bound to the statement, what comes back
comes in pages.
"""
