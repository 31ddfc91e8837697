/* Telling systemd how we are: the protocol of sd_notify(3), without its library. */
#ifndef LW_FCGI_NOTIFY_H
#define LW_FCGI_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
