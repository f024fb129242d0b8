/* SPDX-License-Identifier: MIT */
/* Read repair: rows that differ come here, are merged, and go to those who lack them. A page at a
 * time, the next one when the last is stored: a long string's head is never without its chunks.
 */
#include "base/memory.h"
#include "quorum/verification.h"

struct mend {
    struct asked *asked;
    bool is_fetch; /* from it; else to it */
    struct buffer heads;
    size_t count;
    struct export_place place, next; /* of the page under way, and what follows */
    struct import *import;
    struct export *export;
    struct quorum_write write;
};

static struct quorum *quorum_of(const struct asked *asked)
{
    return asked->round->verification->quorum;
}

bool mend_is_fetch(const struct asked *asked)
{
    return asked->mend && asked->mend->is_fetch;
}

void mend_free(struct asked *asked)
{
    struct mend *mend = asked->mend;
    if (!mend)
        return;
    asked->mend = NULL;
    import_cancel(mend->import);
    export_cancel(mend->export);
    if (mend->write.state)
        quorum_write_forget(quorum_of(asked), &mend->write);
    buffer_deinit(&mend->heads);
    memory_free(mend);
}

static struct mend *mend_of(struct asked *asked, bool is_fetch)
{
    if (!asked->mend) {
        asked->mend = memory_zeroed(sizeof(*asked->mend));
        asked->mend->asked = asked;
        asked->mend->is_fetch = is_fetch;
    }
    return asked->mend;
}

bool round_mends(const struct round *round)
{
    if (round->is_busy)
        return true;
    for (unsigned i = 0; i < round->asked_count; i++)
        if (round->asked[i].mend)
            return true;
    return false;
}

static void add_head(struct mend *mend, struct bytes name)
{
    quorum_encode_head(&mend->heads, name);
    mend->count++;
}

static void fail(struct asked *asked)
{
    struct round *round = asked->round;
    asked_lose(asked);
    round_step(round);
}

/* A page is through, so the time begins anew: a long string has many. True: there is another. */
static bool turn_page(struct asked *asked)
{
    struct mend *mend = asked->mend;
    struct quorum *quorum = quorum_of(asked);
    asked->round->verification->deadline_ms = quorum->now_ms + quorum->options.timeout_ms;
    mend->place = mend->next;
    return mend->place.key < mend->count;
}

static bool is_further(struct export_place a, struct export_place b)
{
    if (a.key != b.key)
        return a.key > b.key;
    return a.base != b.base ? a.base > b.base : a.chunk > b.chunk;
}

/* ---- from the other -------------------------------------------------------------------------- */

static void ask_page(struct asked *asked)
{
    struct quorum *quorum = quorum_of(asked);
    struct mend *mend = asked->mend;
    struct quorum_ask ask = {quorum->layout->cluster, quorum->layout->version,
                             asked->round->number};
    struct buffer out = {0};
    quorum_encode_key_rows(&out, &ask, mend->place, buffer_bytes(&mend->heads));
    asked->sent_ms = quorum->now_ms;
    bool sent =
        outbox_send(&quorum->options.outbox, asked->node, QUORUM_KEY_ROWS, buffer_bytes(&out));
    buffer_deinit(&out);
    if (!sent)
        fail(asked);
}

static void page_stored(void *context, enum status status, uint64_t gate)
{
    struct asked *asked = context;
    struct round *round = asked->round;
    struct mend *mend = asked->mend;
    (void)gate;
    mend->import = NULL;
    if (status != STATUS_OK) {
        fail(asked);
    } else if (turn_page(asked)) {
        ask_page(asked);
    } else {
        mend_free(asked);
        round_step(round);
    }
}

void mend_rows(struct asked *asked, const struct quorum_key_rows_are *are)
{
    struct quorum *quorum = quorum_of(asked);
    struct mend *mend = asked->mend;
    if (!mend->is_fetch || mend->import)
        return; /* not asked for */
    if (are->failed || !is_further(are->next, mend->place) || are->next.key > mend->count) {
        fail(asked);
        return;
    }
    mend->next = are->next;
    if (are->rows.size == 0) {
        page_stored(asked, STATUS_OK, 0);
        return;
    }
    struct import *import =
        import_rows(quorum->options.store, are->rows, quorum->now_ms, page_stored, asked);
    if (import)
        mend->import = import;
}

/* Whether an earlier one has the same row, which is fetched from there. */
static bool is_fetched(const struct round *round, unsigned before, size_t key, uint64_t digest)
{
    for (unsigned i = 0; i < before; i++)
        if (round->asked[i].state == ASKED_ANSWERED && round->asked[i].digests[key] == digest)
            return true;
    return false;
}

bool round_fetch(struct round *round)
{
    struct bytes rest = round->heads, name;
    for (size_t key = 0; key < round->count && quorum_next_head(&rest, &name); key++)
        for (unsigned i = 0; i < round->asked_count; i++) {
            struct asked *asked = &round->asked[i];
            if (asked->state == ASKED_ANSWERED && asked_differs(asked)[key] &&
                asked->digests[key] != 0 && !is_fetched(round, i, key, asked->digests[key]))
                add_head(mend_of(asked, true), name);
        }
    round->is_busy = true; /* nothing ends the round on the way */
    for (unsigned i = 0; i < round->asked_count; i++)
        if (round->asked[i].mend)
            ask_page(&round->asked[i]);
    round->is_busy = false;
    return round_mends(round);
}

/* ---- to the other ---------------------------------------------------------------------------- */

static void send_page(struct asked *asked);

static void page_acknowledged(struct quorum_write *write, enum status status)
{
    struct asked *asked = write->context;
    struct round *round = asked->round;
    asked->sent_ms = quorum_of(asked)->now_ms;
    if (status != STATUS_OK) {
        fail(asked);
    } else if (turn_page(asked)) {
        send_page(asked);
    } else {
        memset(asked_differs(asked), false, round->count * sizeof(bool));
        quorum_of(asked)->stats.repairs += asked->mend->count;
        mend_free(asked);
        round_step(round);
    }
}

static void page_read(void *context, enum status status, struct bytes rows,
                      struct export_place next)
{
    struct asked *asked = context;
    struct quorum *quorum = quorum_of(asked);
    struct mend *mend = asked->mend;
    mend->export = NULL;
    mend->next = next;
    mend->write.done = page_acknowledged;
    mend->write.context = asked;
    if (status != STATUS_OK)
        fail(asked);
    else if (rows.size == 0)
        page_acknowledged(&mend->write, STATUS_OK);
    else
        write_to_node(quorum, rows, asked->node, asked->round->number, &mend->write,
                      quorum->now_ms);
}

static void send_page(struct asked *asked)
{
    struct quorum *quorum = quorum_of(asked);
    struct mend *mend = asked->mend;
    asked->sent_ms = quorum->now_ms;
    struct export *export =
        export_rows(quorum->options.store, buffer_bytes(&mend->heads), mend->place,
                    QUORUM_MESSAGE_BYTES, quorum->now_ms, page_read, asked);
    if (export)
        mend->export = export;
}

bool round_repair(struct round *round)
{
    struct bytes rest = round->heads, name;
    for (size_t key = 0; key < round->count && quorum_next_head(&rest, &name); key++)
        for (unsigned i = 0; i < round->asked_count; i++) {
            struct asked *asked = &round->asked[i];
            if (asked->state != ASKED_ANSWERED || !asked_differs(asked)[key])
                continue;
            if (asked->digests[key] == round->own[key])
                asked_differs(asked)[key] = false;
            else
                add_head(mend_of(asked, false), name);
        }
    round->is_busy = true;
    for (unsigned i = 0; i < round->asked_count; i++)
        if (round->asked[i].mend)
            send_page(&round->asked[i]);
    round->is_busy = false;
    return round_mends(round);
}
