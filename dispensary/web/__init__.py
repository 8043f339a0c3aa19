"""The ground floor of the desks and of the API: who is signed in, what is refused, how a page is made."""
