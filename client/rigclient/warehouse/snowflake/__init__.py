"""A warehouse in a Snowflake account: settings, keys, the connection, and what its refusals mean."""
