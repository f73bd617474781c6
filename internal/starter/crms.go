package starter

import "slices"

// CRM is a kind of account that is written to.
type CRM struct {
	Name      string // type and name in config.yaml, and in commands
	Label     string // for people
	Settings  string // its block in config.yaml
	Secrets   []Secret
	callID    func(sender string) string // field for the call's id; nil if it is the same always
	contactID map[string]string          // field for the contact's id, by sender; "" if none is kept
	owned     bool                       // records have owners
}

var crms = []CRM{
	{
		Name: "hubspot", Label: "HubSpot", owned: true,
		Settings: "type: hubspot\naccess_token: ${HUBSPOT_TOKEN}\n# base_url: http://127.0.0.1:9900/hubspot      # to try it on crmsyncd sandbox\n",
		Secrets:  []Secret{{"HUBSPOT_TOKEN", "HubSpot: the token of a Service Key", "for-trying-out"}},
		callID: func(sender string) string {
			if sender == "telli" {
				return "telli_call_id"
			}
			return "source_call_id"
		},
		contactID: map[string]string{"telli": "telli_contact_id", "respondio": "respondio_contact_id"},
	},
	{
		Name: "airtable", Label: "Airtable",
		Settings:  "type: airtable\naccess_token: ${AIRTABLE_TOKEN}\nbase: appCrmsyncdDemo00                        # yours, from the address of the base\n# base_url: http://127.0.0.1:9900/airtable     # to try it on crmsyncd sandbox\n",
		Secrets:   []Secret{{"AIRTABLE_TOKEN", "Airtable: a personal access token", "for-trying-out"}},
		contactID: map[string]string{"telli": "telli_contact_id", "respondio": "respondio_contact_id"},
	},
	{
		Name: "pipedrive", Label: "Pipedrive", owned: true,
		Settings:  "type: pipedrive\napi_token: ${PIPEDRIVE_TOKEN}\n# base_url: http://127.0.0.1:9900/pipedrive    # to try it on crmsyncd sandbox\n",
		Secrets:   []Secret{{"PIPEDRIVE_TOKEN", "Pipedrive: Personal preferences, API", "for-trying-out"}},
		contactID: map[string]string{"telli": "Telli contact id", "respondio": "respond.io contact id"},
	},
	{
		Name: "salesforce", Label: "Salesforce", owned: true,
		Settings:  "type: salesforce\nlogin_url: https://example.my.salesforce.com   # yours: Setup, My Domain\nclient_id: ${SF_ID}\nclient_secret: ${SF_SECRET}\n# base_url: http://127.0.0.1:9900/salesforce   # to try it on crmsyncd sandbox\n",
		Secrets:   []Secret{{"SF_ID", "Salesforce: the consumer key of the External Client App", "for-trying-out"}, {"SF_SECRET", "Salesforce: its consumer secret", "for-trying-out"}},
		contactID: map[string]string{"telli": "Telli_Contact_Id__c", "respondio": "Respondio_Contact_Id__c"},
	},
	{
		Name: "webhook", Label: "an automation",
		Settings: "type: webhook\nurl: ${AUTOMATION_URL}                         # of Zapier, Make, n8n or any other; whoever knows it may post\nsigning_secret: ${AUTOMATION_SECRET}\n",
		Secrets:  []Secret{{"AUTOMATION_URL", "the address that your automation shows", "https://hooks.example.com/catch/1"}, {"AUTOMATION_SECRET", "make one: echo whsec_$(openssl rand -base64 32)", "whsec_c2VjcmV0LWZvci10cnlpbmctb3V0"}},
	},
}

// CRMs are all that Make knows.
func CRMs() []CRM { return slices.Clone(crms) }
