"""The local function host: Python handlers in processes of the real Lambda runtime client."""
