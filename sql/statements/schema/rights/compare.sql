-- $1: the role.
select c.is_excess, c.told, c.cure from "pgstash".compare_rights($1) c order by c.told
