"""The phone line: what a text means, what the desk tells a phone, and what is left for a person to do."""

from dispensary.phone.answering import Answered, answer
from dispensary.phone.closures import Told, tell_closure, tell_reopening

__all__ = ["Answered", "Told", "answer", "tell_closure", "tell_reopening"]
