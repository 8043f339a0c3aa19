"""PINs of the phone line: each is for the number of its client, tells people apart, and opens for them alone."""

from __future__ import annotations

from dispensary.verification.safe import Check

PHONE_PINS = (
    Check(
        21,
        "the PIN of client {client_id} is for a number that they do not have",
        """
        SELECT p.client_id FROM phone_pin p LEFT JOIN contact c ON c.recipient_id = p.client_id
        WHERE c.phone_index IS DISTINCT FROM p.phone_index ORDER BY 1
        """,
    ),
    Check(
        21,
        "{people} clients have the same PIN at one number, client {client_id} among them",
        """
        SELECT count(*) AS people, min(client_id::text) AS client_id FROM phone_pin
        GROUP BY pin_digest HAVING count(*) > 1 ORDER BY 2
        """,
    ),
    Check(
        21,
        "a number is open for client {open_for}, who has no PIN there",
        """
        SELECT l.open_for FROM pin_gate l
        WHERE l.open_for IS NOT NULL AND NOT EXISTS (
            SELECT FROM phone_pin p WHERE p.client_id = l.open_for AND p.phone_index = l.phone_index) ORDER BY 1
        """,
    ),
    Check(
        21,
        "client {client_id} asks for a number without having a PIN, or for the one that they have",
        """
        SELECT n.client_id FROM number_change n LEFT JOIN phone_pin p ON p.client_id = n.client_id
        WHERE p.client_id IS NULL OR p.phone_index = n.phone_index ORDER BY 1
        """,
    ),
)
