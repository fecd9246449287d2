-- What waits of the customers whose time has come; NULL where nobody does. Parameters: now.
SELECT max(w.version) AS newest FROM payments.waiting AS w
WHERE w.due_at <= %(now)s
