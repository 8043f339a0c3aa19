"""What each act of the audit trail means, in words that a client reads. Pure.

Every act that the program writes about a client has a sentence here; a test reads the code for acts that have none.
"""

from __future__ import annotations


def _(message: str) -> str:
    return message  # marks a sentence for extraction; it is translated where it is shown


LOOKED = "looked at"
SENTENCES: dict[str, str] = {
    LOOKED: _("Opened your record"),
    "said why they look": _("Gave a reason for opening your record"),
    "told who looked": _("Gave you this list"),
    "watched record": _("Marked your record, so that whoever opens it gives a reason"),
    "ended watch": _("Took that mark away again"),
    # In and out of treatment, and what is known of you
    "enrolled": _("Took you on"),
    "came by intake": _("Wrote down how you came to us"),
    "began episode": _("Began your treatment anew"),
    "ended episode": _("Ended your treatment here"),
    "noted identity": _("Changed your name, birth date, photo or papers"),
    "noted circumstances": _("Wrote down what you told about home and work"),
    "came to group": _("Wrote down that you came to a group session"),
    "noted life": _("Wrote down how you work and live, as you told it"),
    "took life back": _("Took back a line about how you work and live"),
    "took group attendance back": _("Took back that you came to a group session"),
    "noted contact": _("Wrote down that they were in touch with you"),
    "took contact back": _("Took back that they were in touch with you"),
    "ended follow-up": _("Decided that nobody asks after you for now"),
    "planned visit": _("Planned to visit you at home"),
    "moved visit": _("Moved a planned visit to you at home"),
    "visited": _("Visited you at home, or tried to"),
    "called off visit": _("Called off visiting you"),
    "took visit back": _("Took back what was written down of a visit to you"),
    "noted visit wish": _("Wrote down whether you want visits at home"),
    "noted step to treatment": _("Wrote down a step from a test to treatment"),
    "set step to treatment aside": _("Took back a line about that step"),
    "gave naloxone": _("Gave naloxone to you or your family"),
    "offered naloxone": _("Offered you naloxone"),
    "noted use of naloxone": _("Wrote down that your naloxone was used"),
    "took naloxone back": _("Took back a line about naloxone that was entered in error"),
    "took use of naloxone back": _("Took back that your naloxone was used"),
    "sent caring text": _("Sent you a text that you are welcome"),
    "assigned client": _("Gave your care to somebody of the staff"),
    "unassigned client": _("Took your care from somebody of the staff"),
    "set goal": _("Wrote down a goal of yours"),
    "closed goal": _("Closed a goal of yours"),
    "opened goal again": _("Took back that a goal of yours was closed"),
    "set goal step": _("Wrote down a step to a goal of yours"),
    "moved goal step": _("Put the steps to a goal of yours in another order"),
    "did goal step": _("Wrote down that a step to a goal of yours is done"),
    "took goal step back": _("Took back that a step to a goal of yours is done"),
    "noted words about goal": _("Wrote down what you said about a goal of yours"),
    "printed goals": _("Printed your goals for you"),
    "noted legal status": _("Wrote down something that you told about yourself"),
    "took legal status back": _("Took back a line of what you told about yourself"),
    "opened task": _("Wrote down something to do for you"),
    "did task": _("Did something that was to be done for you"),
    "noted held places": _("Wrote down that places are held for you"),
    "set legal hold": _("Kept your record from being erased"),
    "lifted legal hold": _("Allowed your record to be erased again"),
    "erased": _("Erased what names you"),
    "disclosed": _("Gave something of your record to somebody outside"),
    "took consent": _("Wrote down what you agreed to be told to somebody"),
    "printed consent form": _("Printed what you were asked to agree to"),
    "wrote what the emergency was": _("Wrote down why somebody was told in an emergency"),
    "printed account of disclosures": _("Printed the list of what was given to somebody outside"),
    "referred": _("Sent you on to another service"),
    "printed referral letter": _("Printed the letter that you carry there"),
    "heard of referral": _("Wrote down what was heard of it"),
    "followed up referral": _("Asked what became of it"),
    "took outcome of referral back": _("Took back what became of it: it is open again"),
    "screened": _("Wrote down what you answered in a questionnaire"),
    "took screening back": _("Took such a questionnaire back"),
    "offered service": _("Offered you something besides your dose"),
    "noted answer to offer": _("Wrote down whether you want it"),
    "saw to offer": _("Wrote down that what you wanted was seen to"),
    "noted offer not wanted": _("Wrote down that you want it no more"),
    "began sessions": _("Agreed days for sessions with you"),
    "marked session": _("Wrote down whether you came to a session"),
    "moved session": _("Moved a session to another day"),
    "ended sessions": _("Called the other sessions off"),
    "took mark of session back": _("Took back what was marked of a session"),
    "took end of sessions back": _("Took that back: they are agreed again"),
    # Doses and orders
    "ordered dose": _("Ordered your dose"),
    "stopped order": _("Stopped the order of your dose"),
    "printed order": _("Printed the order of your dose"),
    "signed plan": _("Signed a plan for your dose"),
    "stopped plan": _("Ended the plan for your dose"),
    "held doses": _("Held your dose"),
    "released hold": _("Ended the hold of your dose"),
    "reduced dose": _("Agreed to a smaller dose by telephone"),
    "dispensed": _("Handed over to you"),
    "voided supply": _("Took back a line that was entered in error"),
    "gave wrong dose": _("Wrote down that you were given a wrong dose"),
    "replaced dose": _("Gave you a dose again"),
    "topped up dose": _("Gave you the rest of a dose"),
    "called about exception": _("Called the prescriber about your dose"),
    "closed exception": _("Closed what was unusual about a dose"),
    "entered from paper": _("Entered what was written on paper"),
    "set flag": _("Left a note that is said or acted on before your next dose"),
    "cleared flag": _("Cleared that note"),
    "resolved alert": _("Answered an alert about you"),
    "read alert": _("Read an alert about you"),
    "alert is over": _("An alert about you ended by itself"),
    "reported": _("Told the doctors something about you"),
    # Take-home
    "assessed take-home": _("Looked at what you may take home"),
    "decided take-home": _("Decided what you may take home"),
    "granted take-home once": _("Allowed you to take home once"),
    "suspended take-home": _("Suspended what you take home"),
    "restored take-home": _("Allowed you to take home again"),
    "ended take-home": _("Ended what you take home"),
    "cut take-home to the law": _("Shortened what you take home to what the law allows"),
    # Bottles, passes, agents
    "prepared pickup": _("Packed bottles for you"),
    "cancelled pickup": _("Unpacked bottles that were for you"),
    "checked bottles": _("Checked the bottles that were packed for you"),
    "wrote off bottle": _("Wrote off a bottle that was packed for you"),
    "printed labels": _("Printed labels for your bottles"),
    "scanned bottle": _("Scanned one of your bottles"),
    "issued pass": _("Made your pass"),
    "stopped pass": _("Stopped your pass"),
    "texted pass": _("Sent your pass to your phone"),
    "took back bottles": _("Took bottles back from you"),
    "called back bottles": _("Called bottles back from you"),
    "called back earlier bottles too": _("Called earlier bottles back from you too"),
    "called off recall": _("Called that off"),
    "counted bottles": _("Counted the bottles that you brought"),
    "reported bottles": _("Wrote down what you told about bottles"),
    "decided on reported bottles": _("Decided what follows for those bottles"),
    "destroyed returned bottles": _("Destroyed bottles that you brought back"),
    "put returned bottles back": _("Put back into stock what you brought back"),
    "agreed to agent": _("Agreed to whom you let collect for you"),
    "recorded consent": _("Wrote down whom you let collect for you"),
    "revoked consent": _("Wrote down that somebody does not collect for you any more"),
    "counted out": _("Counted out bottles that are brought to you"),
    "took bottles out": _("Set out to bring you bottles"),
    "counted bottles in": _("Counted bottles that came back"),
    "called off carrying": _("Called off bringing you bottles"),
    # Other sites
    "asked for guest stay": _("Asked whether you can have doses at another site"),
    "verified guest stay": _("Agreed to your doses at another site"),
    "may be enrolled twice": _("Noticed that you may be on record at another site too"),
    "settled two records": _("Found out why there are two records"),
    "doses at satellite": _("Arranged that you have your doses at a site near you"),
    "found another dose while apart": _(
        "Found, when two sites were joined, something about your doses that one did not know"
    ),
    "refused guest stay": _("Did not agree to doses at another site"),
    "ended guest stay": _("Ended your doses at another site"),
    "wrote a move": _("Wrote that you move to another site"),
    "withdrew a move": _("Wrote that you stay at your site"),
    "refused a move": _("Wrote that you did not come to the other site"),
    "moved here": _("Moved you to another site, where your doses, orders and times go on"),
    "undid a move": _("Took your move back the same day"),
    # Health
    "entered results": _("Entered results of a test"),
    "corrected result": _("Corrected a result of a test"),
    "noted condition": _("Wrote down an illness"),
    "ended condition": _("Wrote down that an illness is over"),
    "began treatment": _("Wrote down another treatment of yours"),
    "ended treatment": _("Wrote down that another treatment ended"),
    "treatment is observed": _("Wrote down that you take another medicine here"),
    "treatment is not observed any more": _("Wrote down that you take it by yourself"),
    "started medicine": _("Wrote down another medicine of yours"),
    "stopped medicine": _("Wrote down that you do not take a medicine any more"),
    "refilled medicine": _("Wrote down that you got a medicine"),
    "voided refill": _("Took back a line about a medicine"),
    "looked for an effect": _("Looked whether a medicine agrees with you"),
    "gave adherence support": _("Helped you with taking medicines"),
    "took adherence support back": _("Took back a line about that"),
    # Times and texts
    "booked": _("Booked a time for you"),
    "moved": _("Moved your time"),
    "dropped": _("Gave up your time"),
    "asked for a place": _("Put you on the waiting list"),
    "took an offered place": _("Took a place that became free"),
    "left the waiting list": _("Took you off the waiting list"),
    "set weekly times": _("Set your weekly times"),
    "paused weekly times": _("Paused your weekly times"),
    "went on with weekly times": _("Went on with your weekly times"),
    "ended weekly times": _("Ended your weekly times"),
    "checked in": _("Checked you in"),
    "called": _("Called you to the window"),
    "called again": _("Called you again"),
    "came to the window": _("Saw you come to the window"),
    "was not there": _("Called you when you were not there"),
    "put back in the queue": _("Put you back in the queue"),
    "comes sooner": _("Let you come sooner in the queue"),
    "comes as others do": _("Let you wait as others do"),
    "left unserved": _("Wrote down that you left before your turn"),
    "changed how they are reached": _("Changed your number or language for texts"),
    "set wishes about texts": _("Wrote down which texts you want"),
    "set phone PIN": _("Set your PIN for texts"),
    "removed phone PIN": _("Removed your PIN for texts"),
    "asked to see reception first": _("Asked you by text to see reception first"),
}
"""By act; what a client is told of it."""

BY_TEXT = _("Was asked by text from your number")
"""Whatever a text from the client's phone did: acts that end in “by text”."""
NOT_KNOWN = _("Did something with your record")
"""For an act that an older program wrote; its own word stands beside it."""

REASONS: dict[str, str] = {
    "phoned": _("since you phoned"),
    "here": _("since you were here"),
    "correcting": _("to correct something"),
    "reviewing": _("to review your care"),
    "emergency": _("in an emergency"),
    "other": _("for a reason that they wrote down"),
}
"""By reason; how it goes on after the sentence of a look."""

WORK: dict[str, str] = {
    "doctor": _("a doctor"),
    "nurse": _("a nurse"),
    "pharmacist": _("a pharmacist"),
    "reception": _("reception"),
    "evaluator": _("an evaluator"),
    "administrator": _("an administrator"),
}
"""By role; whom a client is told of where the site does not give names."""
SOMEBODY = _("somebody of the staff")
THE_PROGRAM = _("the clinic's computer, by itself")
YOU = _("you, by text")


def sentence_of(act: str) -> str:
    """The sentence of an act, to be translated."""
    if act in SENTENCES:
        return SENTENCES[act]
    return BY_TEXT if act.endswith(" by text") else NOT_KNOWN
