-- The flow of payments: Chargebee's events and what follows from them. Every table but the archive, the mirrors of
-- files and what waits is computed anew from the archive, a customer at a time.
-- Run once by the schema migration 0027; 0027_payments_down.sql takes it back. No parameters.

DO $$
BEGIN
    -- CREATE SCHEMA IF NOT EXISTS wants the right to create schemas even where the schema is there.
    IF to_regnamespace('payments') IS NULL THEN
        CREATE SCHEMA payments;
    END IF;
END $$;

CREATE TABLE payments.event_type (
    event_type text PRIMARY KEY,
    handling text NOT NULL CHECK (handling IN ('read', 'ignored'))
);

-- Grain: one line of a file of sql/payments that is in force.
CREATE TABLE payments.rule_line (
    file text NOT NULL,
    place int NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (file, place)
);

-- The archive. Grain: one event that is done. content: without cards, addresses, names, e-mails and phones.
CREATE TABLE payments.payment_events (
    event_id text PRIMARY KEY,
    event_type text NOT NULL REFERENCES payments.event_type,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source text,
    api_version text NOT NULL CHECK (api_version = 'v2'),
    customer_id text,
    subscription_id text,
    invoice_id text,
    transaction_id text,
    coupon_id text,
    company text,
    verified_by text NOT NULL,
    confirmed boolean NOT NULL,
    content jsonb NOT NULL
);
CREATE INDEX payment_events_customer ON payments.payment_events (customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX payment_events_subscription ON payments.payment_events (subscription_id) WHERE subscription_id IS NOT NULL;
CREATE INDEX payment_events_invoice ON payments.payment_events (invoice_id) WHERE invoice_id IS NOT NULL;
CREATE INDEX payment_events_transaction ON payments.payment_events (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX payment_events_coupon ON payments.payment_events (coupon_id) WHERE coupon_id IS NOT NULL;
CREATE INDEX payment_events_occurred ON payments.payment_events USING brin (occurred_at);

CREATE TABLE payments.chargebee_customer (
    customer_id text PRIMARY KEY,
    company text,
    company_from text CHECK (company_from IN ('map', 'field', 'customer_id')),
    version bigint,
    deleted boolean NOT NULL,
    CHECK ((company IS NULL) = (company_from IS NULL))
);
CREATE INDEX chargebee_customer_company ON payments.chargebee_customer (company);

CREATE TABLE payments.coupon (
    coupon_id text NOT NULL,
    version bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    discount_type text NOT NULL,
    percentage numeric CHECK (percentage > 0 AND percentage <= 100),
    amount bigint CHECK (amount > 0),
    currency text,
    apply_on text,
    duration_type text NOT NULL,
    period numeric CHECK (period > 0),
    period_unit text CHECK (period_unit IN ('day', 'week', 'month', 'year')),
    items jsonb NOT NULL,
    unsupported text,
    deleted boolean NOT NULL,
    PRIMARY KEY (coupon_id, version),
    CHECK (num_nonnulls(percentage, amount, unsupported) = 1)
);

-- Grain: one coupon that a customer's subscription has or had: who is computed again when the coupon changes.
CREATE TABLE payments.used_coupon (
    coupon_id text NOT NULL,
    customer_id text NOT NULL,
    PRIMARY KEY (coupon_id, customer_id)
);

CREATE TABLE payments.exchange_rate (
    currency text NOT NULL,
    rate_date date NOT NULL,
    usd_per_unit numeric(20, 10) NOT NULL CHECK (usd_per_unit > 0 AND usd_per_unit <= 1000),
    as_of timestamptz NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    PRIMARY KEY (currency, rate_date, as_of, event_id)
);

CREATE TABLE payments.free_months (
    subscription_id text NOT NULL,
    as_of timestamptz NOT NULL,
    event_id text NOT NULL,
    free_months numeric(6, 2) NOT NULL CHECK (free_months >= 0),
    starts_on date NOT NULL,
    term_months int NOT NULL,
    PRIMARY KEY (subscription_id, as_of, event_id),
    CHECK (free_months < term_months)
);

CREATE TABLE payments.subscription_events (
    event_id text PRIMARY KEY REFERENCES payments.payment_events,
    subscription_id text NOT NULL,
    customer_id text NOT NULL,
    company text,
    version bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    status text NOT NULL CHECK (
        status IN ('future', 'in_trial', 'active', 'non_renewing', 'paused', 'cancelled', 'transferred')
    ),
    chargebee_plan_id text,
    plan_id text,
    seats numeric NOT NULL CHECK (seats >= 0),
    currency text NOT NULL,
    billing_period int CHECK (billing_period > 0),
    billing_period_unit text CHECK (billing_period_unit IN ('day', 'week', 'month', 'year')),
    current_term_start timestamptz,
    current_term_end timestamptz,
    calculated_mrr numeric(18, 4) CHECK (calculated_mrr >= 0),
    effective_mrr numeric(18, 4) CHECK (effective_mrr >= 0),
    sales_effective_mrr numeric(18, 4) CHECK (sales_effective_mrr >= 0),
    chargebee_mrr bigint,
    superseded boolean NOT NULL,
    problem text
);
CREATE INDEX subscription_events_customer ON payments.subscription_events (customer_id);
CREATE INDEX subscription_events_subscription ON payments.subscription_events (subscription_id, occurred_at);

CREATE TABLE payments.subscription_mrr (
    subscription_id text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    cause text NOT NULL,
    customer_id text NOT NULL,
    company text,
    version bigint NOT NULL,
    status text NOT NULL CHECK (
        status IN ('future', 'in_trial', 'active', 'non_renewing', 'paused', 'cancelled', 'transferred')
    ),
    counted boolean NOT NULL,
    currency text NOT NULL,
    rate numeric(20, 10) CHECK (rate > 0 AND rate <= 1000),
    rate_date date,
    rate_source text CHECK (rate_source IN ('usd', 'file', 'chargebee')),
    base_plan_mrr numeric(18, 4) CHECK (base_plan_mrr >= 0),
    seats_mrr numeric(18, 4) CHECK (seats_mrr >= 0),
    ops_mrr numeric(18, 4) CHECK (ops_mrr >= 0),
    hr_mrr numeric(18, 4) CHECK (hr_mrr >= 0),
    comms_mrr numeric(18, 4) CHECK (comms_mrr >= 0),
    other_addon_mrr numeric(18, 4) CHECK (other_addon_mrr >= 0),
    addon_mrr numeric(18, 4) CHECK (addon_mrr = seats_mrr + ops_mrr + hr_mrr + comms_mrr + other_addon_mrr),
    calculated_mrr numeric(18, 4) CHECK (calculated_mrr >= 0),
    discount_mrr numeric(18, 4) CHECK (discount_mrr >= 0),
    effective_mrr numeric(18, 4) CHECK (effective_mrr >= 0),
    paid_months numeric NOT NULL CHECK (paid_months >= 0),
    covered_months numeric NOT NULL CHECK (covered_months > 0),
    sales_effective_mrr numeric(18, 4) CHECK (sales_effective_mrr >= 0),
    problem text,
    detail jsonb NOT NULL,
    PRIMARY KEY (subscription_id, valid_from),
    CHECK (valid_to > valid_from),
    CHECK (calculated_mrr = base_plan_mrr + addon_mrr),
    CHECK (effective_mrr = calculated_mrr - discount_mrr),
    CHECK (sales_effective_mrr <= effective_mrr)
);
CREATE INDEX subscription_mrr_customer ON payments.subscription_mrr (customer_id);
CREATE INDEX subscription_mrr_company ON payments.subscription_mrr (company);

CREATE TABLE payments.transaction_payments (
    transaction_id text PRIMARY KEY,
    customer_id text,
    company text,
    subscription_id text,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund', 'chargeback', 'reversal')),
    status text NOT NULL CHECK (
        status IN ('in_progress', 'success', 'voided', 'failure', 'timeout', 'needs_attention', 'late_failure')
    ),
    occurred_at timestamptz NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    payment_id text,
    exchange_rate numeric(20, 10) CHECK (exchange_rate > 0 AND exchange_rate <= 1000),
    rate_source text CHECK (rate_source IN ('usd', 'file', 'chargebee')),
    amount_usd numeric(18, 4) CHECK (amount_usd >= 0),
    counted_amount bigint NOT NULL CHECK (counted_amount BETWEEN 0 AND amount),
    counted_usd numeric(18, 4),
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    problem text
);
CREATE INDEX transaction_payments_customer ON payments.transaction_payments (customer_id);
CREATE INDEX transaction_payments_company ON payments.transaction_payments (company);

CREATE TABLE payments.chargebee_invoices (
    invoice_id text PRIMARY KEY,
    customer_id text,
    company text,
    subscription_id text,
    status text NOT NULL CHECK (status IN ('paid', 'posted', 'payment_due', 'not_paid', 'voided', 'pending')),
    dunning_status text CHECK (dunning_status IN ('in_progress', 'exhausted', 'stopped', 'success')),
    currency text NOT NULL,
    total bigint NOT NULL CHECK (total >= 0),
    sub_total bigint NOT NULL CHECK (sub_total >= 0),
    tax bigint NOT NULL CHECK (tax >= 0),
    amount_paid bigint NOT NULL CHECK (amount_paid >= 0),
    amount_due bigint NOT NULL CHECK (amount_due >= 0),
    amount_adjusted bigint NOT NULL CHECK (amount_adjusted >= 0),
    credits_applied bigint NOT NULL CHECK (credits_applied >= 0),
    write_off_amount bigint NOT NULL CHECK (write_off_amount >= 0),
    invoiced_at timestamptz,
    due_at timestamptz,
    paid_at timestamptz,
    voided_at timestamptz,
    next_retry_at timestamptz,
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    problem text
);
CREATE INDEX chargebee_invoices_customer ON payments.chargebee_invoices (customer_id);
CREATE INDEX chargebee_invoices_company ON payments.chargebee_invoices (company);

CREATE TABLE payments.company_payments_status (
    company text NOT NULL,
    changed_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('unpaid', 'failing', 'due', 'paid_up', 'none')),
    context text NOT NULL CHECK (
        context IN (
            'payment_succeeded', 'payment_failed', 'payment_initiated', 'payment_refunded', 'chargeback', 'dunning',
            'invoice_generated', 'invoice_updated', 'invoice_voided', 'invoice_deleted', 'subscription_changed',
            'pulled'
        )
    ),
    event_id text NOT NULL,
    invoice_id text NOT NULL,
    PRIMARY KEY (company, changed_at)
);

CREATE TABLE payments.company_current_discount (
    company text PRIMARY KEY,
    status text CHECK (status IN ('none', 'active', 'ending', 'ended')),
    current_price numeric(18, 4) CHECK (current_price >= 0),
    effective_mrr numeric(18, 4) CHECK (effective_mrr >= 0),
    discount_usd numeric(18, 4) CHECK (discount_usd >= 0),
    discount_share numeric(5, 4) CHECK (discount_share BETWEEN 0 AND 1),
    discount_type text CHECK (discount_type IN ('fixed', 'percentage', 'mixed')),
    discounts jsonb NOT NULL,
    term_end timestamptz,
    ended_at timestamptz
);

CREATE TABLE payments.mrr_movement (
    company_key text NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    amount_usd numeric(18, 4) NOT NULL,
    before numeric(18, 4) NOT NULL CHECK (before >= 0),
    after numeric(18, 4) NOT NULL CHECK (after >= 0),
    cause text NOT NULL,
    subscriptions jsonb NOT NULL,
    PRIMARY KEY (company_key, at, kind),
    CHECK (
        CASE kind
            WHEN 'new' THEN amount_usd > 0
            WHEN 'expansion' THEN amount_usd > 0
            WHEN 'reactivation' THEN amount_usd > 0
            WHEN 'contraction' THEN amount_usd < 0
            WHEN 'churn' THEN amount_usd < 0
            WHEN 'fx' THEN amount_usd <> 0
            ELSE FALSE
        END
    )
);
CREATE INDEX mrr_movement_at ON payments.mrr_movement (at);

CREATE TABLE payments.mrr_daily (
    day date NOT NULL,
    company_key text NOT NULL,
    start_mrr numeric(18, 4) NOT NULL,
    new numeric(18, 4) NOT NULL,
    expansion numeric(18, 4) NOT NULL,
    contraction numeric(18, 4) NOT NULL,
    churn numeric(18, 4) NOT NULL,
    reactivation numeric(18, 4) NOT NULL,
    fx numeric(18, 4) NOT NULL,
    end_mrr numeric(18, 4) NOT NULL,
    PRIMARY KEY (day, company_key),
    CHECK (end_mrr = start_mrr + new + expansion + contraction + churn + reactivation + fx)
);
CREATE INDEX mrr_daily_company ON payments.mrr_daily (company_key, day);

-- Grain: one customer that must be computed again, at due_at at the latest. version rises with every wake.
CREATE TABLE payments.waiting (
    customer_id text PRIMARY KEY,
    version bigint NOT NULL,
    due_at timestamptz NOT NULL
);
CREATE INDEX waiting_due ON payments.waiting (due_at);
