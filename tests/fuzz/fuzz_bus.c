/* SPDX-License-Identifier: MIT */
/*
 * What another node says. An input is a byte that says to whom (bit 0: who has accepted, or who has
 * dialed; bit 1: after the greetings; bit 2: as frames made of the parts of the input, a type
 * before each, so that no checksum is in the way), one that seeds the split points, and what it
 * says. Whatever the splits, the same must be understood.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "bus/frame.h"
#include "bus/link.h"
#include "bus/message.h"
#include "fuzz/fuzz.h"

enum {
    TO_DIALER = 1,
    GREETED = 2,
    FRAMED = 4,
    SENT = 5, /* messages that a dialer has sent */
    TYPE_MESSAGES_END = 0xf0,
};

/* Two ends whose greetings are the same each time. */
struct ends {
    char key[HMAC_SIZE];
    struct link dialer, acceptor;
};

/* What a link has made of what it was told. */
struct understanding {
    struct ends ends;
    struct link *link;
    struct buffer text;
    bool failed;
};

static void understand(struct understanding *self, struct bytes bytes)
{
    struct link_news news = {0};
    struct link *link = self->link;
    enum link_event event;
    char *copy = memory_alloc(bytes.size); /* not a byte more */
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    bytes.data = copy;
    while ((event = link_next(link, &bytes, &news)) != LINK_QUIET) {
        check(!self->failed);
        buffer_printf(&self->text, "%d:", event);
        if (event == LINK_HEARD) {
            check(!link->dialer && news.type < TYPE_MESSAGES_END);
            check(news.payload.size <= MESSAGE_SIZE_MAX);
            buffer_printf(&self->text, "%u:", news.type);
            buffer_append_bytes(&self->text, news.payload);
        } else if (event == LINK_FAILED) {
            check(news.why != STATUS_OK && news.why != STATUS_ABSENT);
            buffer_printf(&self->text, "%d", news.why);
            self->failed = true;
        } else {
            check(link->peer > 0 && link->peer >> LINK_NODE_BITS == 0);
            check(link->peer != link->node && link->version == LINK_VERSION_MAX);
            check(!link->dialer || link->acknowledged <= link->sent);
        }
        buffer_append_u8(&self->text, '\n');
    }
    check(bytes.size == 0);
    memory_free(copy);
}

static void carry(struct link *from, struct link *to)
{
    struct link_news news;
    struct bytes bytes = buffer_bytes(&from->output);
    while (link_next(to, &bytes, &news) != LINK_QUIET)
        continue;
    buffer_clear(&from->output, SIZE_MAX);
}

static void ends_init(struct ends *ends)
{
    link_key(BYTES("secret"), ends->key);
    link_dial(&ends->dialer, LINK_SESSION, 0x111, 0, ends->key, "dialer's nonce..");
    link_accept(&ends->acceptor, 0x222, ends->key, "acceptor's nonce");
}

static void ends_deinit(struct ends *ends)
{
    link_deinit(&ends->dialer);
    link_deinit(&ends->acceptor);
}

static void begin(struct understanding *self, unsigned mode)
{
    *self = (struct understanding){0};
    struct ends *ends = &self->ends;
    ends_init(ends);
    self->link = mode & TO_DIALER ? &ends->dialer : &ends->acceptor;
    if (!(mode & GREETED))
        return;
    for (unsigned i = 0; i < 2; i++) {
        carry(&ends->dialer, &ends->acceptor);
        carry(&ends->acceptor, &ends->dialer);
    }
    check(ends->dialer.state == LINK_OPEN && ends->acceptor.state == LINK_OPEN);
    for (unsigned i = 0; i < SENT; i++)
        link_send(&ends->dialer, i, BYTES("payload"));
}

static void end(struct understanding *self)
{
    ends_deinit(&self->ends);
    buffer_deinit(&self->text);
}

static void make_frames(struct bytes input, struct buffer *out)
{
    while (input.size > 0) {
        unsigned type = fuzz_take_u8(&input);
        frame_append(out, type, fuzz_take_part(&input));
    }
}

void fuzz_one(struct bytes input)
{
    enum { STEP_MAX = 60 };
    unsigned mode = fuzz_take_u8(&input);
    struct random random = {fuzz_take_u8(&input)};
    struct buffer stream = {0};
    if (mode & FRAMED)
        make_frames(input, &stream);
    else
        buffer_append_bytes(&stream, input);
    struct bytes all = buffer_bytes(&stream);
    struct understanding whole, pieces;
    begin(&whole, mode);
    begin(&pieces, mode);
    understand(&whole, all);
    for (size_t at = 0, size; at < all.size; at += size) {
        size = 1 + random_below(&random, STEP_MAX);
        if (size > all.size - at)
            size = all.size - at;
        understand(&pieces, bytes_of(all.data + at, size));
    }
    check(whole.failed == pieces.failed && whole.link->state == pieces.link->state);
    check(bytes_equal(buffer_bytes(&whole.text), buffer_bytes(&pieces.text)));
    end(&whole);
    end(&pieces);
    buffer_deinit(&stream);
}

static void seed_with(fuzz_seed seed, void *context, const char mode[2], struct bytes bytes)
{
    struct buffer input = {0};
    buffer_append(&input, mode, 2);
    buffer_append_bytes(&input, bytes);
    seed(context, buffer_bytes(&input));
    buffer_deinit(&input);
}

void fuzz_seeds(fuzz_seed seed, void *context)
{
    struct ends ends;
    struct buffer said[2] = {{0}, {0}}; /* by the dialer, by the acceptor */
    ends_init(&ends);
    for (unsigned i = 0; i < 2; i++) {
        buffer_append_bytes(&said[0], buffer_bytes(&ends.dialer.output));
        carry(&ends.dialer, &ends.acceptor);
        buffer_append_bytes(&said[1], buffer_bytes(&ends.acceptor.output));
        carry(&ends.acceptor, &ends.dialer);
    }
    seed_with(seed, context, "\0a", buffer_bytes(&said[0]));
    seed_with(seed, context, "\1b", buffer_bytes(&said[1]));
    link_send(&ends.dialer, 0x21, BYTES("a message"));
    link_send(&ends.dialer, 0x4f, BYTES(""));
    seed_with(seed, context, "\2c", buffer_bytes(&ends.dialer.output));
    carry(&ends.dialer, &ends.acceptor);
    link_acknowledge(&ends.acceptor);
    seed_with(seed, context, "\3d", buffer_bytes(&ends.acceptor.output));
    ends_deinit(&ends);
    buffer_deinit(&said[0]);
    buffer_deinit(&said[1]);
    seed_with(seed, context, "\4e",
              BYTES("\xf0\0\x20"
                    "\x11\1\0\0\0\0\0\0\1\1\0\0\0\0\0\0"
                    "0123456789abcdef"));
    seed_with(seed, context, "\6f", BYTES("\x10\0\2hi\x4f\0\0\xef\0\1x\xf4\0\0"));
    seed_with(seed, context, "\7g",
              BYTES("\xf4\0\x08\1\0\0\0\0\0\0\0\xf4\0\x08\5\0\0\0\0\0\0\0"
                    "\xf4\0\x08\6\0\0\0\0\0\0\0"));
}
