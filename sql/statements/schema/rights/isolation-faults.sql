select f.fault from "pgstash".isolation_faults() f order by f.fault
