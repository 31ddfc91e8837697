#include "ops/durable.h"

#include "base/log.h"
#include "store/db.h"
#include "store/sql_doctor.h"

bool durable_database(struct db *db)
{
	struct sql_doctor_settings_row row;

	if (sql_doctor_settings(db, &row) != OK)
		return false;
	if (row.flush == 1 && row.doublewrite && (!row.binlog || row.sync_binlog == 1))
		return true;
	log_write(LOG_ERROR, "the database doesn't keep what is committed: see THE DATABASE SERVER in latchwork.conf(5)",
		  LOG_FIELDS(log_int("innodb_flush_log_at_trx_commit", row.flush), log_int("sync_binlog", row.sync_binlog),
			     log_int("innodb_doublewrite", row.doublewrite)));
	return false;
}
