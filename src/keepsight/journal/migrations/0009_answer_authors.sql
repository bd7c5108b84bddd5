-- Which model wrote each answer, and at which server; null in journals of earlier versions, and answer_url for a
-- model in the process that stored the answer.

ALTER TABLE answers ADD COLUMN answer_model TEXT;
ALTER TABLE answers ADD COLUMN answer_url TEXT;        -- without credentials
