// Reads Tekton resources, a YAML document after the other, and says what Tekton's own webhook would.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"
)

type resource interface {
	apis.Defaultable
	apis.Validatable
}

func main() {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail("%v", err)
	}
	for number, document := range strings.Split(string(data), "\n---\n") {
		var head struct{ Kind, APIVersion string }
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			fail("document %d: %v", number+1, err)
		}
		kinds := map[string]resource{
			"Task": &v1.Task{}, "Pipeline": &v1.Pipeline{},
			"TaskRun": &v1.TaskRun{}, "PipelineRun": &v1.PipelineRun{},
		}
		found, known := kinds[head.Kind]
		if !known || head.APIVersion != "tekton.dev/v1" {
			fail("document %d: %s %s is not a resource of Tekton", number+1, head.APIVersion, head.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), found); err != nil {
			fail("document %d: %v", number+1, err)
		}
		ctx := apis.WithinCreate(context.Background())
		found.SetDefaults(ctx)
		if err := found.Validate(ctx); err != nil {
			fail("document %d: %s: %v", number+1, head.Kind, err)
		}
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
