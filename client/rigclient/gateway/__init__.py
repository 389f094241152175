"""The gateway: rigs for browsers. Pages, their live streams over WebSockets, and answers as JSON.

However many pages ask for the same, the rig pays for one stream; its bytes go on as they came.
"""
