"""What clients want to be texted about, news for those who asked for it, and two questions after a visit."""

from alembic import op

from dispensary.migrations.wishes_guards import FEEDBACK, WANTED

revision = "0027_wishes"
down_revision = "0026_phone_pins"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE text_wish (
    client_id UUID NOT NULL,
    word TEXT NOT NULL,
    wanted BOOLEAN NOT NULL,
    hours SMALLINT,
    set_by UUID NOT NULL,
    set_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_text_wish PRIMARY KEY (client_id, word),
    CONSTRAINT fk_text_wish_client_id FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT fk_text_wish_set_by FOREIGN KEY (set_by) REFERENCES account (id),
    CONSTRAINT ck_text_wish_word CHECK (word IN ('bookings', 'reminder', 'missed', 'reviews', 'news', 'feedback')),
    CONSTRAINT ck_text_wish_hours CHECK (hours IS NULL OR (word = 'reminder' AND wanted AND hours BETWEEN 1 AND 24))
);

CREATE TABLE sending_setting (
    site_id UUID NOT NULL,
    review_days SMALLINT NOT NULL,
    CONSTRAINT pk_sending_setting PRIMARY KEY (site_id),
    CONSTRAINT fk_sending_setting_site_id FOREIGN KEY (site_id) REFERENCES site (id),
    CONSTRAINT ck_sending_setting_review_days CHECK (review_days BETWEEN 1 AND 30)
);

CREATE TABLE news (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    words TEXT NOT NULL,
    written_by UUID NOT NULL,
    sent_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT pk_news PRIMARY KEY (id),
    CONSTRAINT fk_news_site_id FOREIGN KEY (site_id) REFERENCES site (id),
    CONSTRAINT fk_news_written_by FOREIGN KEY (written_by) REFERENCES account (id),
    CONSTRAINT ck_news_words CHECK (length(words) BETWEEN 1 AND 160)
);
CREATE INDEX ix_news_site_id_sent_at ON news (site_id, sent_at);
CREATE TRIGGER tr_news_never_changed BEFORE UPDATE OR DELETE ON news
    FOR EACH ROW EXECUTE FUNCTION never_changed();

CREATE TABLE news_text (
    message_id UUID NOT NULL,
    news_id UUID NOT NULL,
    CONSTRAINT pk_news_text PRIMARY KEY (message_id),
    CONSTRAINT fk_news_text_news_id FOREIGN KEY (news_id) REFERENCES news (id)
);
CREATE INDEX ix_news_text_news_id ON news_text (news_id);

CREATE TABLE feedback_question (
    client_id UUID NOT NULL,
    site_id UUID NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    waited SMALLINT,
    open_until TIMESTAMPTZ,
    CONSTRAINT pk_feedback_question PRIMARY KEY (client_id),
    CONSTRAINT fk_feedback_question_client_id FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT fk_feedback_question_site_id FOREIGN KEY (site_id) REFERENCES site (id),
    CONSTRAINT ck_feedback_question_waited CHECK (waited BETWEEN 0 AND 60 AND waited % 10 = 0)
);

CREATE TABLE feedback_answer (
    id UUID NOT NULL,
    site_id UUID NOT NULL,
    month DATE NOT NULL,
    visit SMALLINT NOT NULL,
    wait SMALLINT,
    waited SMALLINT,
    CONSTRAINT pk_feedback_answer PRIMARY KEY (id),
    CONSTRAINT fk_feedback_answer_site_id FOREIGN KEY (site_id) REFERENCES site (id),
    CONSTRAINT ck_feedback_answer_month CHECK (extract(day FROM month) = 1),
    CONSTRAINT ck_feedback_answer_visit CHECK (visit BETWEEN 1 AND 3),
    CONSTRAINT ck_feedback_answer_wait CHECK (wait BETWEEN 1 AND 3),
    CONSTRAINT ck_feedback_answer_waited CHECK (waited BETWEEN 0 AND 60 AND waited % 10 = 0)
);
CREATE INDEX ix_feedback_answer_site_id_month ON feedback_answer (site_id, month);
"""


def upgrade() -> None:
    for part in (_TABLES, WANTED, FEEDBACK):
        op.execute(part)


def downgrade() -> None:
    op.execute("DROP TRIGGER tr_message_is_wanted ON message")
    op.execute("DROP TABLE feedback_answer, feedback_question, news_text, news, sending_setting, text_wish")
    op.execute("DROP FUNCTION message_is_wanted, wants_text, text_group, feedback_is_rare, feedback_answer_stands")
