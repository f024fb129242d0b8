/* SPDX-License-Identifier: MIT */
#include "session/monitor.h"

#include <inttypes.h>

static void quote(struct bytes text, struct buffer *out)
{
    static const char special[] = "\"\\\n\r\t\a\b", letters[] = "\"\\nrtab";
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char *found = c ? strchr(special, c) : NULL;
        if (found) {
            buffer_append_u8(out, '\\');
            buffer_append_u8(out, (uint8_t)letters[found - special]);
        } else if (c < ' ' || c > '~') {
            buffer_printf(out, "\\x%02x", c);
        } else {
            buffer_append_u8(out, c);
        }
    }
    buffer_append_u8(out, '"');
}

void monitor_line(const struct session *session, const struct request *request, struct buffer *out)
{
    buffer_printf(out, "+%" PRIu64 ".%06" PRIu64 " [%u %s]", request->now_ms / 1000,
                  request->now_ms % 1000 * 1000, session->db, session->address);
    for (uint32_t i = 0; i < request->argc; i++) {
        buffer_append_u8(out, ' ');
        quote(request->argv[i], out);
    }
    buffer_append(out, "\r\n", 2);
}

bool monitor_show(struct session *session, const struct request *request)
{
    struct sessions *sessions = session->sessions;
    if (request->command->flags & (CMD_SKIP_MONITOR | CMD_ADMIN))
        return false;
    struct buffer line = {0};
    monitor_line(session, request, &line);
    for (struct list *at = sessions->monitors.next; at != &sessions->monitors; at = at->next) {
        struct session *monitor = list_entry(at, struct session, monitoring);
        if (monitor->state != SESSION_CLOSING && !monitor->reply_off)
            buffer_append_bytes(&monitor->output, buffer_bytes(&line));
    }
    buffer_deinit(&line);
    return true;
}
