"""The commands of `dispensary`, by what they are about."""
