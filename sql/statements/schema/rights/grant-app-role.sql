-- Answers what the role has beyond what it needs, and the owner's revoke does not reach: what to type against it.
select g from "pgstash".grant_app_role($1) g
