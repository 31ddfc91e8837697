/* Tokens as the earlier backends made them (github.com/fernet/spec), under a key of the tests. */
#ifndef LW_TESTS_VAULT_FERNET_TOKENS_H
#define LW_TESTS_VAULT_FERNET_TOKENS_H

#define FERNET_KEY \
	"WY3i1_c3SJ25av1AlmazH_uwBcl8NOBoFNpJ8akJU_c="
/* {"api_key": "sk_live_0123456789"} */
#define TOKEN_OBJECT \
	"gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD9P8pGFci7YUPhDmdH4nUkAYLYMYxHTAH-itoCbqRLkcXHGr" \
	"Fxiw6yoBUD6bfdvCtY6wrq-YeJkKm-N0mh25oCGdgo5Ju5LgykYrRV_zR0p_"
/* sk_plain_0123456789 */
#define TOKEN_TEXT \
	"gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD3IZopFBpZdQUA44afQxxKnpCZFMu_jj0fmlxYBERlwwNWsp" \
	"ALzv7MZ42GsL1jRMOLFYLbFUp2BTw-3-ovKBhvY="
/* {"username": "u", "password": "p", "realm": "r"} */
#define TOKEN_UNKNOWN_MEMBER \
	"gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD8X-AS5J8PTglZVlm2HNXIfu1NR-D-P_GNwy1wPp8sdmk5kk" \
	"lAIgADeK3XJz1zAhxXfh2DpmGrQXxL90vNrc7ooP7530ehBI9v5C7xQSnvOWo5Hz_zz4V7GVK4pnQLsE" \
	"Gg=="
/* under another key */
#define TOKEN_FOREIGN \
	"gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD6ZnazXv1ZjkMd6IS0wonucRlIZ7itLd3IRFUl6qKKXlwnNZ" \
	"0mz8ot4sucSFe16CiL-wMRFkyqkyQ0IEjDnqHSHcD0OVF8FDf2NQ5WEVixc0"

#endif
