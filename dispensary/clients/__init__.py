"""Who is in treatment: identity (sealed), the ways to find a client, episodes."""
