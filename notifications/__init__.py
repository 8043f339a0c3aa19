"""Words to a phone and back: outbox, gateways, texts in many languages, inbound commands, opt-outs.

People are opaque recipient ids and a number. This house imports neither of the other two.
"""
