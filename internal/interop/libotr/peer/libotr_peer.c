/*
 * libotr_peer: one OTR conversation of libotr's, driven over standard input and
 * output. Each line on either is one flat JSON object; texts and messages are
 * in base64, so no string ever needs an escape.
 *
 *   cc -o libotr_peer libotr_peer.c -lotr -lgcrypt
 *   libotr_peer [--versions 3|23|2] [--fragment BYTES] [--tag] [--key FILE]
 *
 *   --versions  the OTR versions to speak (3)
 *   --fragment  the largest message to send, 0 for no limit (0)
 *   --tag       put a whitespace tag behind texts in clear
 *   --key       the otr.private_key file whose first account to use, rather
 *               than a new key
 *
 * Commands:
 *   {"do":"receive","message":"…"}           a message from the other side
 *   {"do":"send","text":"…"}                 the user says something
 *   {"do":"query"}                           ask for OTR
 *   {"do":"end"}                             end the encrypted conversation
 *   {"do":"smp_start","secret":"…"}          and perhaps "question":"…"
 *   {"do":"smp_answer","secret":"…"}
 *   {"do":"smp_abort"}
 *
 * What comes back, any number of lines and then {"event":"done"}:
 *   {"event":"inject","message":"…"}         a message for the other side
 *   {"event":"text","text":"…","encrypted":true|false}
 *   {"event":"state","state":"Plaintext|Encrypted|Finished"}, and for
 *       Encrypted "fingerprint", "ssid" (hexadecimal) and "version"
 *   {"event":"smp","result":"asked|progress|succeeded|failed|aborted|error"},
 *       and perhaps "question"
 *   {"event":"notice","name":"…"}            a message event of libotr's
 *
 * The first lines, before any command, are {"event":"ready","fingerprint":"…",
 * "library":"…"} and {"event":"done"}.
 */
#include <gcrypt.h>
#include <libotr/proto.h> /* the others need it first */
#include <libotr/message.h>
#include <libotr/privkey.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const PEER = "peer";
static const char *account = "me", *protocol = "prpl-test";
static OtrlUserState user;
static OtrlPolicy policy;
static int max_message;

/* ---- JSON and its encodings ---- */

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void print_base64(const char *key, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = strlen(text), i;

	printf(",\"%s\":\"", key);
	for (i = 0; i < n; i += 3) {
		unsigned v = s[i] << 16;
		if (i + 1 < n)
			v |= s[i + 1] << 8;
		if (i + 2 < n)
			v |= s[i + 2];
		putchar(ALPHABET[v >> 18 & 63]);
		putchar(ALPHABET[v >> 12 & 63]);
		putchar(i + 1 < n ? ALPHABET[v >> 6 & 63] : '=');
		putchar(i + 2 < n ? ALPHABET[v & 63] : '=');
	}
	putchar('"');
}

static void print_hex(const char *key, const unsigned char *s, size_t n)
{
	printf(",\"%s\":\"", key);
	while (n--)
		printf("%02x", *s++);
	putchar('"');
}

/* value returns the string under a key, to be freed, or NULL. */
static char *value(const char *line, const char *key)
{
	char pattern[32];
	const char *start, *end;

	snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
	start = strstr(line, pattern);
	if (!start)
		return NULL;
	start += strlen(pattern);
	end = strchr(start, '"');
	return end ? strndup(start, end - start) : NULL;
}

/* text is value, out of base64. */
static char *text(const char *line, const char *key)
{
	char *s = value(line, key), *in = s, *out = s;
	unsigned v = 0;
	int bits = 0;

	if (!s)
		return NULL;
	for (; *in && *in != '='; in++) {
		const char *digit = strchr(ALPHABET, *in);
		if (!digit)
			continue;
		v = v << 6 | (digit - ALPHABET);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*out++ = v >> bits & 255;
		}
	}
	*out = 0;
	return s;
}

static void done(void)
{
	puts("{\"event\":\"done\"}");
	fflush(stdout);
}

/* ---- what libotr reports ---- */

static ConnContext *conversation(void)
{
	return otrl_context_find(user, PEER, account, protocol, OTRL_INSTAG_BEST, 1, NULL, NULL, NULL);
}

/* report_state prints the state if it is new, or always. */
static void report_state(int always)
{
	static const char *const NAMES[] = {"Plaintext", "Encrypted", "Finished"};
	static int last = OTRL_MSGSTATE_PLAINTEXT;
	ConnContext *c = conversation();

	if ((int)c->msgstate == last && !always)
		return;
	last = c->msgstate;
	printf("{\"event\":\"state\",\"state\":\"%s\"", NAMES[c->msgstate]);
	if (c->msgstate == OTRL_MSGSTATE_ENCRYPTED) {
		print_hex("fingerprint", c->active_fingerprint->fingerprint, 20);
		print_hex("ssid", c->sessionid, c->sessionid_len);
		printf(",\"version\":%u", c->protocol_version);
	}
	puts("}");
}

static void report_text(const char *what, int encrypted)
{
	printf("{\"event\":\"text\"");
	print_base64("text", what);
	printf(",\"encrypted\":%s}\n", encrypted ? "true" : "false");
}

static void inject(void *op, const char *a, const char *p, const char *r, const char *message)
{
	printf("{\"event\":\"inject\"");
	print_base64("message", message);
	puts("}");
}

static void report_smp(void *op, OtrlSMPEvent event, ConnContext *c, unsigned short percent, char *question)
{
	const char *result;

	switch (event) {
	case OTRL_SMPEVENT_ASK_FOR_ANSWER:
	case OTRL_SMPEVENT_ASK_FOR_SECRET: result = "asked"; break;
	case OTRL_SMPEVENT_IN_PROGRESS: result = "progress"; break;
	case OTRL_SMPEVENT_SUCCESS: result = "succeeded"; break;
	case OTRL_SMPEVENT_FAILURE: result = "failed"; break;
	case OTRL_SMPEVENT_ABORT: result = "aborted"; break;
	case OTRL_SMPEVENT_CHEATED:
	case OTRL_SMPEVENT_ERROR: result = "error"; break;
	default: return;
	}
	printf("{\"event\":\"smp\",\"result\":\"%s\"", result);
	if (event == OTRL_SMPEVENT_ASK_FOR_ANSWER && question)
		print_base64("question", question);
	puts("}");
}

static void report_message(void *op, OtrlMessageEvent event, ConnContext *c, const char *message, gcry_error_t err)
{
	static const char *const NAMES[] = {
		"NONE", "ENCRYPTION_REQUIRED", "ENCRYPTION_ERROR", "CONNECTION_ENDED", "SETUP_ERROR", "MSG_REFLECTED",
		"MSG_RESENT", "RCVDMSG_NOT_IN_PRIVATE", "RCVDMSG_UNREADABLE", "RCVDMSG_MALFORMED", "LOG_HEARTBEAT_RCVD",
		"LOG_HEARTBEAT_SENT", "RCVDMSG_GENERAL_ERR", "RCVDMSG_UNENCRYPTED", "RCVDMSG_UNRECOGNIZED",
		"RCVDMSG_FOR_OTHER_INSTANCE"};

	if (event == OTRL_MSGEVENT_RCVDMSG_UNENCRYPTED)
		report_text(message, 0);
	printf("{\"event\":\"notice\",\"name\":\"%s\"}\n", event < sizeof NAMES / sizeof *NAMES ? NAMES[event] : "UNKNOWN");
}

static OtrlPolicy get_policy(void *op, ConnContext *c) { return policy; }
static int logged_in(void *op, const char *a, const char *p, const char *r) { return 1; }
static int get_max_message(void *op, ConnContext *c) { return max_message; }
static void nothing(void *op) {}
static void new_fingerprint(void *op, OtrlUserState u, const char *a, const char *p, const char *n, unsigned char f[20]) {}
static void gone_secure(void *op, ConnContext *c) { report_state(1); }
static void gone_insecure(void *op, ConnContext *c) { report_state(0); }
static void still_secure(void *op, ConnContext *c, int reply) { report_state(1); }
static void create_instag(void *op, const char *a, const char *p) { otrl_instag_generate(user, "/dev/null", a, p); }

static const char *error_text(void *op, ConnContext *c, OtrlErrorCode code)
{
	switch (code) {
	case OTRL_ERRCODE_MSG_NOT_IN_PRIVATE: return "You sent encrypted data which wasn't expected.";
	case OTRL_ERRCODE_MSG_UNREADABLE: return "You transmitted an unreadable encrypted message.";
	case OTRL_ERRCODE_MSG_MALFORMED: return "You transmitted a malformed data message.";
	default: return "Encryption error.";
	}
}

static void free_error_text(void *op, const char *message) {}

static OtrlMessageAppOps ops = {
	.policy = get_policy,
	.is_logged_in = logged_in,
	.inject_message = inject,
	.update_context_list = nothing,
	.new_fingerprint = new_fingerprint,
	.write_fingerprints = nothing,
	.gone_secure = gone_secure,
	.gone_insecure = gone_insecure,
	.still_secure = still_secure,
	.max_message_size = get_max_message,
	.otr_error_message = error_text,
	.otr_error_message_free = free_error_text,
	.handle_smp_event = report_smp,
	.handle_msg_event = report_message,
	.create_instag = create_instag,
};

/* ---- commands ---- */

static void receive(const char *message)
{
	OtrlTLV *tlvs = NULL;
	char *plain = NULL;
	int encrypted = conversation()->msgstate == OTRL_MSGSTATE_ENCRYPTED;
	int internal = otrl_message_receiving(user, &ops, NULL, account, protocol, PEER, message, &plain, &tlvs, NULL, NULL, NULL);

	if (!internal)
		report_text(plain ? plain : message, plain && encrypted && !strncmp(message, "?OTR", 4));
	otrl_message_free(plain);
	otrl_tlv_free(tlvs);
	report_state(0);
}

static void send(const char *what)
{
	char *changed = NULL;
	gcry_error_t err = otrl_message_sending(user, &ops, NULL, account, protocol, PEER, OTRL_INSTAG_BEST, what, NULL,
		&changed, OTRL_FRAGMENT_SEND_ALL, NULL, NULL, NULL);

	/* With a changed message libotr has injected it already. */
	if (err)
		printf("{\"event\":\"notice\",\"name\":\"%s\"}\n", gcry_strerror(err));
	else if (!changed)
		inject(NULL, account, protocol, PEER, what);
	otrl_message_free(changed);
}

static void query(void)
{
	char *message = otrl_proto_default_query_msg(account, policy);

	inject(NULL, account, protocol, PEER, message);
	free(message);
}

static void smp(const char *what, const char *secret, const char *question)
{
	const unsigned char *s = (const unsigned char *)secret;

	if (!strcmp(what, "smp_abort"))
		otrl_message_abort_smp(user, &ops, NULL, conversation());
	else if (!secret)
		puts("{\"event\":\"notice\",\"name\":\"secret missing\"}");
	else if (!strcmp(what, "smp_answer"))
		otrl_message_respond_smp(user, &ops, NULL, conversation(), s, strlen(secret));
	else if (question)
		otrl_message_initiate_smp_q(user, &ops, NULL, conversation(), question, s, strlen(secret));
	else
		otrl_message_initiate_smp(user, &ops, NULL, conversation(), s, strlen(secret));
}

static void command(const char *line)
{
	char *what = value(line, "do"), *a = NULL, *b = NULL;

	if (!what)
		puts("{\"event\":\"notice\",\"name\":\"not a command\"}");
	else if (!strcmp(what, "receive") && (a = text(line, "message")))
		receive(a);
	else if (!strcmp(what, "send") && (a = text(line, "text")))
		send(a);
	else if (!strcmp(what, "query"))
		query();
	else if (!strcmp(what, "end")) {
		otrl_message_disconnect_all_instances(user, &ops, NULL, account, protocol, PEER);
		report_state(0);
	} else if (!strncmp(what, "smp_", 4)) {
		a = text(line, "secret");
		b = text(line, "question");
		smp(what, a, b);
	} else
		puts("{\"event\":\"notice\",\"name\":\"unknown command\"}");
	free(what);
	free(a);
	free(b);
}

/* ---- start ---- */

/* load_key reads the first account of a key file, or makes a new key. */
static int load_key(const char *file)
{
	char temporary[] = "/tmp/libotr_peer.XXXXXX";
	int fd, err;

	if (file) {
		if (otrl_privkey_read(user, file) || !user->privkey_root)
			return -1;
		account = user->privkey_root->accountname;
		protocol = user->privkey_root->protocol;
		return 0;
	}
	fd = mkstemp(temporary);
	if (fd < 0)
		return -1;
	close(fd);
	err = otrl_privkey_generate(user, temporary, account, protocol);
	remove(temporary);
	return err ? -1 : 0;
}

int main(int argc, char **argv)
{
	const char *key = NULL, *versions = "3";
	unsigned char fingerprint[20];
	char *line = NULL;
	size_t size = 0;
	int i, tag = 0;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--tag"))
			tag = 1;
		else if (i + 1 < argc && !strcmp(argv[i], "--versions"))
			versions = argv[++i];
		else if (i + 1 < argc && !strcmp(argv[i], "--fragment"))
			max_message = atoi(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--key"))
			key = argv[++i];
		else {
			fprintf(stderr, "libotr_peer: unknown argument %s\n", argv[i]);
			return 2;
		}
	}
	policy = OTRL_POLICY_WHITESPACE_START_AKE | OTRL_POLICY_ERROR_START_AKE;
	if (strchr(versions, '2'))
		policy |= OTRL_POLICY_ALLOW_V2;
	if (strchr(versions, '3'))
		policy |= OTRL_POLICY_ALLOW_V3;
	if (tag)
		policy |= OTRL_POLICY_SEND_WHITESPACE_TAG;

	gcry_control(GCRYCTL_ENABLE_QUICK_RANDOM, 0); /* keys of a test do not wait for entropy */
	OTRL_INIT;
	user = otrl_userstate_create();
	if (load_key(key)) {
		fprintf(stderr, "libotr_peer: no key\n");
		return 1;
	}
	otrl_privkey_fingerprint_raw(user, fingerprint, account, protocol);
	printf("{\"event\":\"ready\",\"library\":\"%s\"", otrl_version());
	print_hex("fingerprint", fingerprint, sizeof fingerprint);
	puts("}");
	done();
	while (getline(&line, &size, stdin) > 0) {
		command(line);
		done();
	}
	free(line);
	otrl_userstate_free(user);
	return 0;
}
