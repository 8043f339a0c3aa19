"""The view that names every discrepancy of the safe, so that one site's are read from that site's rows alone.

What it names is what it named before (safe_view.py). Whoever asks for one site has PostgreSQL go by it into each
branch: windows and groups begin with the site, and no branch joins two whole tables before it
knows of which site it is asked.
"""

from __future__ import annotations

_IN_THE_SAFE = "('prepared', 'checked', 'out')"
_LIVE = "('prepared', 'checked', 'out', 'handed_over', 'recalled')"

DISCREPANCY_BY_SITE = f"""
CREATE OR REPLACE VIEW stock_discrepancy AS
SELECT 'negative' AS kind, 3 AS invariant, b.site_id, b.id::text AS subject,
    format('book %s holds %s mL', b.id, b.balance) AS sentence
FROM register_book b WHERE b.balance < 0
UNION ALL
SELECT 'negative', 3, lot.site_id, lot.id::text, format('lot %s holds %s mL', lot.batch, lot.balance)
FROM lot WHERE lot.balance < 0
UNION ALL
SELECT 'line_does_not_follow', 3, line.site_id, line.id::text,
    format('line %s of book %s says %s mL after %s mL on %s mL',
    line.seq, line.book_id, line.balance, line.ml, line.before)
FROM (SELECT b.site_id, l.id, l.book_id, l.seq, l.balance, l.ml,
    lag(l.balance, 1, 0.000) OVER (PARTITION BY b.site_id, l.book_id ORDER BY l.seq) AS before
    FROM register_line l LEFT JOIN register_book b ON b.id = l.book_id) AS line
WHERE line.balance <> line.before + line.ml OR line.balance < 0
UNION ALL
SELECT 'line_does_not_follow', 3, line.site_id, line.id::text || '/lot',
    format('line %s of book %s says %s mL in lot %s after %s mL on %s mL',
    line.seq, line.book_id, line.lot_balance, line.lot_id, line.ml, line.before)
FROM (SELECT lot.site_id, l.id, l.book_id, l.seq, l.lot_id, l.lot_balance, l.ml,
    lag(l.lot_balance, 1, 0.000) OVER (PARTITION BY lot.site_id, l.lot_id ORDER BY l.seq) AS before
    FROM register_line l LEFT JOIN lot ON lot.id = l.lot_id) AS line
WHERE line.lot_balance <> line.before + line.ml OR line.lot_balance < 0
UNION ALL
SELECT 'line_missing', 3, line.site_id, line.id::text, format('book %s has line %s after line %s',
    line.book_id, line.seq, line.before)
FROM (SELECT b.site_id, l.id, l.book_id, l.seq,
    lag(l.seq, 1, 0::bigint) OVER (PARTITION BY b.site_id, l.book_id ORDER BY l.seq) AS before
    FROM register_line l LEFT JOIN register_book b ON b.id = l.book_id) AS line
WHERE line.seq <> line.before + 1
UNION ALL
SELECT 'book_not_its_lines', 3, b.site_id, b.id::text,
    format('book %s holds %s mL in %s lines; its lines add up to %s mL in %s',
    b.id, b.balance, b.lines, coalesce(sum(l.ml), 0), count(l.id))
FROM register_book b LEFT JOIN register_line l ON l.book_id = b.id
GROUP BY b.id HAVING b.balance <> coalesce(sum(l.ml), 0) OR b.lines <> count(l.id)
UNION ALL
SELECT 'book_not_its_lots', 3, b.site_id, b.id::text, format('book %s holds %s mL; its lots hold %s mL',
    b.id, b.balance, coalesce(sum(lot.balance), 0))
FROM register_book b LEFT JOIN lot ON lot.book_id = b.id
GROUP BY b.id HAVING b.balance <> coalesce(sum(lot.balance), 0)
UNION ALL
SELECT 'lot_not_its_lines', 3, lot.site_id, lot.id::text, format('lot %s holds %s mL; its lines add up to %s mL',
    lot.batch, lot.balance, coalesce(sum(l.ml), 0))
FROM lot LEFT JOIN register_line l ON l.lot_id = lot.id
GROUP BY lot.id HAVING lot.balance <> coalesce(sum(l.ml), 0)
UNION ALL
SELECT 'bottled_not_its_bottles', 3, lot.site_id, lot.id::text,
    format('lot %s promises %s mL of %s mL in prepared bottles, which hold %s mL',
    lot.batch, lot.bottled, lot.balance, coalesce(sum(b.ml), 0))
FROM lot LEFT JOIN bottle b ON b.lot_id = lot.id AND b.state IN {_IN_THE_SAFE}
GROUP BY lot.id HAVING lot.bottled <> coalesce(sum(b.ml), 0) OR lot.bottled > lot.balance
UNION ALL
SELECT 'orphan_entry', 3, b.site_id, l.id::text,
    format('line %s of book %s is about a lot of another book', l.seq, l.book_id)
FROM register_line l LEFT JOIN lot ON lot.id = l.lot_id LEFT JOIN register_book b ON b.id = l.book_id
WHERE lot.book_id IS DISTINCT FROM l.book_id
UNION ALL
SELECT 'orphan_entry', 3, b.site_id, l.id::text || '/supply',
    format('line %s of book %s supplied %s mL to nobody', l.seq, l.book_id, -l.ml)
FROM register_line l LEFT JOIN register_book b ON b.id = l.book_id
WHERE l.kind = 'supplied' AND NOT EXISTS (SELECT 1 FROM supply s WHERE s.id = l.supply_id)
UNION ALL
SELECT 'orphan_entry', 3, b.site_id, l.id::text || '/transfer',
    format('line %s of book %s sent %s mL, and there is no such transfer', l.seq, l.book_id, -l.ml)
FROM register_line l LEFT JOIN register_book b ON b.id = l.book_id
WHERE (l.kind = 'sent' OR l.transfer_id IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM stock_transfer t WHERE t.id = l.transfer_id)
UNION ALL
SELECT 'orphan_entry', 3, b.site_id, l.id::text || '/correction',
    format('line %s of book %s corrects line %s, and is not its counter-entry', l.seq, l.book_id, o.seq)
FROM register_line l LEFT JOIN register_line o ON o.id = l.corrects_id LEFT JOIN register_book b ON b.id = l.book_id
WHERE l.kind = 'corrected' AND (o.id IS NULL OR o.lot_id <> l.lot_id OR o.ml <> -l.ml OR o.kind = 'corrected')
UNION ALL
SELECT 'dose_without_line', 3, d.site_id, d.id::text,
    format('dose %s of client %s for %s has no line in the register', d.id, d.client_id, d.dose_day)
FROM dose d JOIN supply s ON s.id = d.supply_id AND s.origin <> 'import'
WHERE d.voided_at IS NULL AND NOT EXISTS (SELECT 1 FROM register_line l
    WHERE l.supply_id = d.supply_id AND l.lot_id = d.lot_id AND l.kind = 'supplied'
    AND NOT EXISTS (SELECT 1 FROM register_line c WHERE c.corrects_id = l.id))
UNION ALL
SELECT 'supply_not_its_doses', 3, moved.site_id, moved.supply_id || '/' || coalesce(moved.lot_id::text, 'no lot'),
    format('supply %s took %s mL from lot %s by the register and %s mL by its doses',
    moved.supply_id, sum(moved.drawn), moved.lot_id, sum(moved.poured))
FROM (
    SELECT s.site_id, l.supply_id, l.lot_id, -l.ml AS drawn, 0::numeric AS poured,
        CASE WHEN l.kind = 'supplied' AND by.id IS NULL THEN l.consumed_ml ELSE 0 END AS consumed,
        CASE WHEN l.kind = 'supplied' AND by.id IS NULL THEN l.taken_home_ml ELSE 0 END AS taken_home
    FROM supply s JOIN register_line l ON l.supply_id = s.id AND l.kind IN ('supplied', 'corrected')
    LEFT JOIN register_line by ON by.corrects_id = l.id
    WHERE s.voided_at IS NULL
    UNION ALL
    SELECT s.site_id, o.supply_id, l.lot_id, -l.ml, 0, 0, 0
    FROM supply s JOIN register_line o ON o.supply_id = s.id
    JOIN register_line l ON l.corrects_id = o.id AND l.kind = 'corrected' AND l.supply_id IS NULL
    WHERE s.voided_at IS NULL
    UNION ALL
    -- What a dose was poured from, or what each of its lots gave. A dose that was undone never left it; a bottle that
    -- came back full, or was lost, did.
    SELECT s.site_id, d.supply_id, coalesce(p.lot_id, d.lot_id), 0, coalesce(p.ml, d.ml),
        CASE d.kind WHEN 'observed' THEN -coalesce(p.ml, d.ml) ELSE 0 END,
        CASE d.kind WHEN 'take_home' THEN -coalesce(p.ml, d.ml) ELSE 0 END
    FROM supply s JOIN dose d ON d.supply_id = s.id AND d.voided_at IS NULL LEFT JOIN dose_part p ON p.dose_id = d.id
    WHERE s.voided_at IS NULL AND s.origin <> 'import'
    UNION ALL
    SELECT s.site_id, d.supply_id, coalesce(p.lot_id, d.lot_id), 0, coalesce(p.ml, d.ml),
        CASE d.kind WHEN 'observed' THEN -coalesce(p.ml, d.ml) ELSE 0 END,
        CASE d.kind WHEN 'take_home' THEN -coalesce(p.ml, d.ml) ELSE 0 END
    FROM supply s JOIN dose d ON d.supply_id = s.id AND d.voided_at IS NOT NULL
    JOIN bottle b ON b.dose_id = d.id AND b.state <> 'void' LEFT JOIN dose_part p ON p.dose_id = d.id
    WHERE s.voided_at IS NULL AND s.origin <> 'import'
    UNION ALL
    SELECT s.site_id, x.supply_id, x.lot_id, 0, x.ml, -x.ml, 0
    FROM supply s JOIN extra_dose x ON x.supply_id = s.id AND x.voided_at IS NULL
    WHERE s.voided_at IS NULL AND s.origin <> 'import'
) AS moved
GROUP BY moved.site_id, moved.supply_id, moved.lot_id
HAVING (sum(moved.drawn), sum(moved.consumed), sum(moved.taken_home)) <> (sum(moved.poured), 0, 0)
UNION ALL
SELECT 'parts_not_the_dose', 3, d.site_id, d.id::text,
    format('dose %s is %s mL, and what %s lots gave of it adds up to %s mL', d.id, d.ml, count(*), sum(p.ml))
FROM dose_part p JOIN dose d ON d.id = p.dose_id
GROUP BY d.id HAVING (sum(p.mg), sum(p.ml)) IS DISTINCT FROM (d.mg, d.ml) OR count(*) < 2
UNION ALL
SELECT 'bottle_in_two_places', 1, one.site_id, one.id::text,
    format('bottles %s (%s) and %s (%s) are both for portion %s of %s of client %s',
    one.serial, one.state, other.serial, other.state, one.portion, one.dose_day, one.client_id)
FROM bottle one JOIN bottle other ON other.client_id = one.client_id AND other.dose_day = one.dose_day
    AND other.portion = one.portion AND other.id > one.id AND other.state IN {_LIVE}
LEFT JOIN dose d ON d.id = one.dose_id LEFT JOIN dose e ON e.id = other.dose_id
WHERE one.state IN {_LIVE} AND d.voided_at IS NULL AND e.voided_at IS NULL
UNION ALL
SELECT 'transfer_not_whole', 3, t.from_site_id, t.id::text,
    format('transfer %s of %s mL is %s, and its lines are: %s', t.id, t.ml, t.state,
    coalesce(string_agg(l.kind || ' ' || l.ml, ', ' ORDER BY l.kind), 'none'))
FROM stock_transfer t LEFT JOIN register_line l ON l.transfer_id = t.id
GROUP BY t.id HAVING (count(*) FILTER (WHERE l.kind = 'sent' AND l.ml = -t.ml AND l.lot_id = t.from_lot_id),
    count(*) FILTER (WHERE l.kind = 'received' AND l.ml = t.ml AND l.lot_id = t.to_lot_id),
    count(*) FILTER (WHERE l.kind = 'corrected' AND l.ml = t.ml AND l.lot_id = t.from_lot_id),
    count(*) FILTER (WHERE l.kind IN ('sent', 'received', 'corrected')),
    coalesce(sum(l.ml) FILTER (WHERE l.kind = 'counted'), 0))
    <> (1, (t.state = 'received')::int, (t.state = 'taken_back')::int, 1 + (t.state <> 'in_transit')::int,
    CASE WHEN t.state = 'received' THEN t.measured_ml - t.ml ELSE 0 END)
"""
