-- A copy of the database must not be able to charge a card: no secret, no address, no webhook is left in it.
UPDATE viva_account
   SET client_id = NULL, client_secret = NULL, api_key = NULL, merchant_id = NULL,
       accounts_url = NULL, api_url = NULL, www_url = NULL, environment = 'demo',
       webhook_path = NULL, webhook_path_previous = NULL, webhook_key = NULL,
       webhook_verified_at = NULL, database_uuid = NULL, check_state = 'unchecked', check_message = NULL;
DELETE FROM viva_connection;
-- Terminals in a shop's network need no secret: their addresses go, and the keys of the gateways that reach them.
DELETE FROM viva_gateway_link;
DELETE FROM viva_gateway_pairing;
DELETE FROM viva_gateway_attempt;
DELETE FROM viva_gateway_sight;
DELETE FROM viva_gateway_report;
UPDATE viva_terminal
   SET gateway_id = NULL, lan_host = NULL, lan_port = NULL, certificate_fingerprint = NULL;
UPDATE viva_transaction SET gateway_uid = NULL, gateway_instance = NULL,
       app_token = NULL, app_side_token = NULL, app_base = NULL, app_answer = NULL;
