// Package deploy_test holds what a class's brokers and workers are started from
// against the tools that will read it: compose's own loader, kustomize, the types
// of Kubernetes' API, and the NATS server. A module of its own, so that the course
// does not depend on them.
package deploy_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func load(t *testing.T, env ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"compose.yaml"}, cli.WithEnv(env), cli.WithWorkingDirectory("."))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

func TestCompose(t *testing.T) {
	if _, err := load(t); err == nil || !strings.Contains(err.Error(), "deploy/.env") {
		t.Error("without a password the error is", err)
	}
	project, err := load(t, "PASSWORD=pw1")
	if err != nil {
		t.Fatal(err)
	}
	var ports []string
	for _, s := range project.Services {
		for _, p := range s.Ports {
			ports = append(ports, p.Published)
		}
	}
	slices.Sort(ports)
	if want := []string{"4222", "4223", "4224", "6379"}; !slices.Equal(ports, want) {
		t.Errorf("published: %v, want %v", ports, want)
	}
	worker := project.Services["worker"]
	if url := worker.Environment["NATS_URL"]; url == nil || strings.Count(*url, "nats://class:pw1@nats-") != 3 {
		t.Errorf("the worker's environment is %v", worker.Environment)
	}
	for _, route := range natsOptions(t).Routes {
		service, ok := project.Services[strings.TrimSuffix(route.Hostname(), ".nats")]
		if !ok || !slices.Contains(service.Networks["default"].Aliases, route.Hostname()) {
			t.Errorf("no service is called %s", route.Hostname())
		}
		var mounts []string
		for _, v := range service.Volumes {
			mounts = append(mounts, fmt.Sprint(filepath.Base(v.Source), ":", v.Target, " ", v.ReadOnly))
		}
		want := []string{service.Name + ":/data false", "nats.conf:/etc/nats/nats.conf true"}
		if !slices.Equal(mounts, want) || len(service.Configs) > 0 { // which podman-compose does not know
			t.Errorf("%s has %v and the configs %v, want %v and none", service.Name, mounts, service.Configs, want)
		}
	}
}

// natsOptions reads the configuration as the server does.
func natsOptions(t *testing.T) *server.Options {
	t.Helper()
	t.Setenv("SERVER", "nats-0")
	t.Setenv("PASSWORD", "pw1")
	options, err := server.ProcessConfigFile("nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func TestNATS(t *testing.T) {
	o := natsOptions(t)
	if !o.JetStream || o.Cluster.Name != "class" || len(o.Routes) != 3 || o.ServerName != "nats-0" || o.Password != "pw1" {
		t.Errorf("%+v", o)
	}
}

// manifests are what kubectl apply -k would send.
func manifests(t *testing.T) []*resource.Resource {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), ".")
	if err != nil {
		t.Fatal(err)
	}
	return made.Resources()
}

// strictly decodes a manifest into its type of Kubernetes' API; a field that the
// type does not have is an error.
func strictly(t *testing.T, r *resource.Resource, into any) {
	t.Helper()
	text, err := r.AsYAML()
	if err == nil {
		err = yaml.UnmarshalStrict(text, into)
	}
	if err != nil {
		t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
	}
}

func TestKubernetes(t *testing.T) {
	pods := make(map[string]core.PodTemplateSpec) // by the name of what makes them
	services := make(map[string]core.Service)
	configs := make(map[string]bool)
	for _, r := range manifests(t) {
		if r.GetNamespace() != "many-hands" {
			t.Errorf("%s %s is in the namespace %q", r.GetKind(), r.GetName(), r.GetNamespace())
		}
		switch r.GetKind() {
		case "ConfigMap":
			var m core.ConfigMap
			strictly(t, r, &m)
			configs[m.Name] = true
		case "Service":
			var s core.Service
			strictly(t, r, &s)
			services[s.Name] = s
		case "StatefulSet":
			var s apps.StatefulSet
			strictly(t, r, &s)
			pods[s.Name] = s.Spec.Template
			if !within(s.Spec.Selector.MatchLabels, s.Spec.Template.Labels) || s.Spec.ServiceName != s.Name {
				t.Errorf("%s does not select its own pods", s.Name)
			}
		case "Deployment":
			var d apps.Deployment
			strictly(t, r, &d)
			pods[d.Name] = d.Spec.Template
			if !within(d.Spec.Selector.MatchLabels, d.Spec.Template.Labels) {
				t.Errorf("%s does not select its own pods", d.Name)
			}
		case "PodDisruptionBudget":
			strictly(t, r, new(policy.PodDisruptionBudget))
		case "NetworkPolicy":
			strictly(t, r, new(networking.NetworkPolicy))
		default:
			t.Errorf("no type is known for %s", r.GetKind())
		}
	}
	for name, s := range services {
		if !within(s.Spec.Selector, pods[name].Labels) {
			t.Errorf("the service %s reaches no pod", name)
		}
	}
	for name, pod := range pods {
		for _, v := range pod.Spec.Volumes {
			if v.ConfigMap != nil && !configs[v.ConfigMap.Name] {
				t.Errorf("%s mounts the configuration %s, which nobody makes", name, v.ConfigMap.Name)
			}
		}
	}
	if len(pods) != 3 {
		t.Errorf("there are pods for %d things, not for nats, valkey and worker", len(pods))
	}
	for _, route := range natsOptions(t).Routes {
		var n int
		if _, err := fmt.Sscanf(route.Hostname(), "nats-%d.nats", &n); err != nil {
			t.Errorf("the route %s is no pod of the set nats: %v", route, err)
		}
	}
}

// TestReadme follows what the README says for Zero to JupyterHub: each address is a
// service's, in its namespace and at its port, to which students' servers are let out.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\nsingleuser:\n  extraEnv:")
	block, _, _ := strings.Cut(after, "```")
	var says struct {
		Env     map[string]string            `json:"extraEnv"`
		Network networking.NetworkPolicySpec `json:"networkPolicy"`
	}
	if err := yaml.UnmarshalStrict([]byte("  extraEnv:"+block), &says); err != nil || len(says.Env) != 2 || len(says.Network.Egress) != 1 {
		t.Fatalf("the README says %+v, %v", says, err)
	}
	ports := map[string]int32{} // by the service's name in other namespaces
	for _, r := range manifests(t) {
		if r.GetKind() == "Service" {
			var s core.Service
			strictly(t, r, &s)
			ports[s.Name+"."+s.Namespace] = s.Spec.Ports[0].Port
		}
	}
	out := says.Network.Egress[0]
	var open []string
	for _, p := range out.Ports {
		open = append(open, p.Port.String())
	}
	namespace := out.To[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]
	for _, address := range strings.Split(says.Env["NATS_URL"]+","+says.Env["REDIS_URL"], ",") {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		service := u.Hostname()
		if u.Scheme == "nats" {
			_, service, _ = strings.Cut(service, ".") // behind the pod's name
		}
		if u.Port() != fmt.Sprint(ports[service]) || !slices.Contains(open, u.Port()) || !strings.HasSuffix(service, "."+namespace) {
			t.Errorf("%s is out of students' reach: there are the services %v, and the ports let out are %v, to %s", address, ports, open, namespace)
		}
	}
}

// within reports whether labels has all of some, which are not none.
func within(some, labels map[string]string) bool {
	for key, value := range some {
		if labels[key] != value {
			return false
		}
	}
	return len(some) > 0
}
