/*
 * libotr_fingerprints: libotr's own functions on fingerprints files.
 *
 *   cc -o libotr_fingerprints libotr_fingerprints.c -lotr -lgcrypt
 *   libotr_fingerprints make FILE       makes a file of what stands on the standard input: a line for each
 *                                       fingerprint, with the five fields of the output below but the last
 *   libotr_fingerprints read FILE...    prints what libotr understands of each file, and a line with a dot
 *   libotr_fingerprints copy FILE TO    reads a file and writes it again
 *
 * A line of output has, with tabs between them, the user, account and protocol in hexadecimal, the fingerprint, the
 * trust in hexadecimal, or - for none, and 1 if libotr takes the fingerprint for trusted.
 */
#include <gcrypt.h>
#include <libotr/proto.h> /* the others need it first */
#include <libotr/privkey.h>
#include <libotr/userstate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_hex(const char *s)
{
	while (*s)
		printf("%02x", (unsigned char)*s++);
}

/* unhex reads hexadecimal digits over themselves, and ends them with a NUL. */
static char *unhex(char *s)
{
	char *in, *out = s;
	unsigned v;

	for (in = s; in[0] && in[1] && sscanf(in, "%2x", &v) == 1; in += 2)
		*out++ = v;
	*out = 0;
	return s;
}

static void make(OtrlUserState user)
{
	char *line = NULL, *rest, *field[5];
	size_t size = 0;
	int i;

	while (getline(&line, &size, stdin) > 0) {
		ConnContext *c;
		Fingerprint *f;

		line[strcspn(line, "\n")] = 0;
		for (rest = line, i = 0; i < 5; i++)
			if (!(field[i] = strsep(&rest, "\t")))
				exit(3);
		c = otrl_context_find(user, unhex(field[0]), unhex(field[1]), unhex(field[2]), OTRL_INSTAG_MASTER, 1, NULL, NULL, NULL);
		f = otrl_context_find_fingerprint(c, (unsigned char *)unhex(field[3]), 1, NULL);
		if (strcmp(field[4], "-"))
			otrl_context_set_trust(f, unhex(field[4]));
	}
	free(line);
}

static void print(OtrlUserState user)
{
	ConnContext *c;
	Fingerprint *f;
	int i;

	for (c = user->context_root; c; c = c->next)
		for (f = c->fingerprint_root.next; f; f = f->next) {
			print_hex(c->username);
			putchar('\t');
			print_hex(c->accountname);
			putchar('\t');
			print_hex(c->protocol);
			putchar('\t');
			for (i = 0; i < 20; i++)
				printf("%02x", f->fingerprint[i]);
			putchar('\t');
			if (f->trust)
				print_hex(f->trust);
			else
				putchar('-');
			printf("\t%d\n", !!otrl_context_is_fingerprint_trusted(f));
		}
	puts(".");
}

int main(int argc, char **argv)
{
	OtrlUserState user;
	int i, err = 0;

	OTRL_INIT;
	if (argc == 3 && !strcmp(argv[1], "make")) {
		user = otrl_userstate_create();
		make(user);
		err = otrl_privkey_write_fingerprints(user, argv[2]);
		otrl_userstate_free(user);
	} else if (argc == 4 && !strcmp(argv[1], "copy")) {
		user = otrl_userstate_create();
		err = otrl_privkey_read_fingerprints(user, argv[2], NULL, NULL) || otrl_privkey_write_fingerprints(user, argv[3]);
		otrl_userstate_free(user);
	} else if (argc > 2 && !strcmp(argv[1], "read"))
		for (i = 2; i < argc && !err; i++) {
			user = otrl_userstate_create();
			err = otrl_privkey_read_fingerprints(user, argv[i], NULL, NULL);
			print(user);
			otrl_userstate_free(user);
		}
	else
		err = 2;
	return err ? 1 : 0;
}
